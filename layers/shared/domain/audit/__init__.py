"""The auditor: reads the whole database and names, in sentences, what does not fit together. Changes nothing."""

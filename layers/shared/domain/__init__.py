"""The business of 4AS: one package per context, the words they share at the top. Knows nothing outside itself."""

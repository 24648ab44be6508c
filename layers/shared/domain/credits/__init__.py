"""Store credit: what students are owed, spend at checkout, and may see."""

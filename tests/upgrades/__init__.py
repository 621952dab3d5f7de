"""Data directories and documents of earlier versions, under this one."""

"""The commands of ``upkeeper``, one file per family. At module level they import only click and other light modules."""

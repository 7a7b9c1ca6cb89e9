"""What is done with a set that is to be used: checked first, then unpacked or loaded. For restores and their proof."""

"""daily, weekly, monthly, yearly and comprehensive-cleanup: lists of tasks."""

"""Answers to what is asked all day, made without the libraries that the commands need."""

"""Tests of TLS and users before the applications."""

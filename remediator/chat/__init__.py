"""Approvals from chats that we call: a plan is shown there, and an answer counts for exactly that plan."""

"""Drives a host over HTTP, kills it at random moments, and checks what its plugins hold."""

"""Campaigns against an assistant with tools: injections chained to calls, judged by what the tools did."""

"""The review console: cases for people to decide, and what an operator sees and switches, in a browser.

`app.console` builds it on a control store; it needs neither the model nor the gateway.
"""

"""A bank's assistant that is not a language model: a stand-in with weaknesses of known size. SIMULATED.

Every answer follows from rules and a seed, so how often an attack works is known before it is tried, and the tester
itself can be tested. It says nothing about any real model.
"""

"""A travel desk's assistant, SIMULATED: the held-out stand-in.

It shares no mechanism with the bank's: clauses are compared with labelled examples (bag of words), what is near the end
of the conversation counts more, and one threshold per trial decides. What is claimed on the other stand-in must hold
here too. Figures from it say nothing about real models.
"""

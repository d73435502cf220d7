"""Is this row like the rows the model was made for?"""

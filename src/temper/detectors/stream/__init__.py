"""What do the rows of one client, in their order, add up to?"""

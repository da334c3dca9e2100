"""What travels with a cell that runs elsewhere: found from its code, packed, and what is said on the way.

Independent of the engine that runs the cell. Used on both sides.
"""

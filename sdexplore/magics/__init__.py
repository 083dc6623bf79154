"""`%sdexplore`: the public functions as magics of IPython. A magic parses, calls one function, returns its result."""

"""Every string that a reader of figures and the dashboard sees, by its key: one folder a language.

A string is a template of `str.format` with named fields, and a whole sentence: no sentence is joined from pieces, since
another language has another order. `wording` gives it in the language of the options. Errors, warnings and reprs are
not here: they stay English.
"""

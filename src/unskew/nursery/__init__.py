"""The nursery: a small world of four languages in which language models are raised from nothing.

languages   what can be said (meanings.py) in English, French, Spanish and Onevi, in exact parallel
lexicon     the words with all their forms (data/*.csv); split.py parts them into seen and held out
sampling    meanings drawn as a pure function of (seed, stream, step)
"""

"""The audit: what did fine-tuning do to a language model, and is it gone or only suppressed?"""

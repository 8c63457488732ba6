"""Is an ability gone after fine-tuning, or only no longer reached for?

Nothing is imported here on purpose: `import unskew` stays instant, and each laboratory is imported
by name, as in `from unskew.regression import ...`.
"""

__version__ = "0.1.0"

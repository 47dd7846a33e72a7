"""Figures to judge the provider by, beside what one would pick instead: make bench."""

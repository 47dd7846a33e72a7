"""Figures to judge the provider by, each measured beside what one would pick instead: make bench."""

"""Load that can be believed: real clients over real WebRTC, and every delivery counted where it arrives.

``core/`` says who joins when and what should arrive, and counts; ``io/`` starts processes, drives bots and draws;
``app.py`` and ``demo.py`` join them for the command line.
"""

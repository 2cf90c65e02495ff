"""Peer-to-peer signalling for clients of other systems: AppRTC, NextRTC and GStreamer, each unchanged."""

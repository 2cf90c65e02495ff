"""The coordinator: who may join the cluster, and where. It relays signalling and never sees a packet."""

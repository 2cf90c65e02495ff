"""What tests share: polling with a deadline, fakes, the cluster they start."""

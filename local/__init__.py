"""The provider on your own machine: the same template, code and SDK, without an AWS account."""

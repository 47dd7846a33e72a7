#!/bin/sh
# Declares a server OFFLINE, waits until it is, and later ONLINE: SERVER=s-... sh examples/aws-cli.sh
aws cloudformation deploy --stack-name "state-of-$SERVER" --template-file examples/existing-server.yaml \
  --parameter-overrides "ServerId=$SERVER" DesiredState=OFFLINE
aws cloudformation deploy --stack-name "state-of-$SERVER" --template-file examples/existing-server.yaml \
  --parameter-overrides "ServerId=$SERVER" DesiredState=ONLINE

"""A Transfer Family server that is OFFLINE, as a CDK app.

pip install -r requirements.txt, and this project itself: pip install 'PATH/TO/ITS/CHECKOUT[cdk]'.
"""

from aws_cdk import App, CfnOutput, Duration, Stack
from aws_cdk.aws_transfer import CfnServer
from constructs import Construct

from transfer_server_state.cdk import DesiredState, OnDrift, TransferServerState

SECURITY_POLICY = "TransferSecurityPolicy-2024-01"


class Files(Stack):
    """The server, and the state that it shall be in."""

    def __init__(self, scope: Construct, name: str) -> None:
        super().__init__(scope, name)
        server = CfnServer(self, "Server", protocols=["SFTP"], security_policy_name=SECURITY_POLICY)
        state = TransferServerState(
            self,
            "State",
            server_id=server.attr_server_id,
            desired_state=DesiredState.OFFLINE,
            on_drift=OnDrift.REASSERT,
            # AWS starts an OFFLINE server whenever it is updated: what may change is repeated here.
            triggers=[SECURITY_POLICY],
            service_timeout=Duration.minutes(30),
        )
        CfnOutput(self, "ServerId", value=state.server_id)
        CfnOutput(self, "ServerState", value=state.state)


app = App()
Files(app, "files")
app.synth()

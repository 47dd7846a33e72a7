"""The Transfer API's server lifecycle on this machine, for boto3 and the AWS CLI to speak to.

An Emulator opens one port, that of the API; SftpEndpoints add one for each server.
"""

from local.emulator.lifecycle import State
from local.emulator.settings import Fault, ServerSettings, Settings, SettingsError, Throttle
from local.emulator.sftp.endpoints import SftpEndpoints
from local.emulator.wire import Emulator

__all__ = [
    "Emulator",
    "Fault",
    "ServerSettings",
    "Settings",
    "SettingsError",
    "SftpEndpoints",
    "State",
    "Throttle",
]

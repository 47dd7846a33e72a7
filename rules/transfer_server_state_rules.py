"""The rules for a cfn-lint beside which this package is not installed: `append_rules: [rules]`.

cfn-lint loads each file of a folder by itself; this one finds the checkout that it is part of.
"""

import sys
from pathlib import Path

_CHECKOUT = str(Path(__file__).resolve().parent.parent)
# Last, since folders of a checkout are named as other packages may be.
if _CHECKOUT not in sys.path:
    sys.path.append(_CHECKOUT)

from transfer_server_state.lint import (  # noqa: E402, F401
    DeclarationAttributes,
    DeclarationProperties,
    OneDeclaration,
    StaysOffline,
)

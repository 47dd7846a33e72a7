# Tells this declaration from others, and a replacement from what it replaces.
resource "terraform_data" "owner" {}

locals {
  declaration = {
    Owner          = coalesce(var.name, terraform_data.owner.id)
    Instance       = terraform_data.owner.id
    ServerId       = var.server_id
    DesiredState   = var.desired_state
    OnDelete       = var.on_delete
    OnDrift        = var.on_drift
    Triggers       = var.triggers
    ServiceTimeout = var.service_timeout
  }
  result = jsondecode(aws_lambda_invocation.state.result)
}

resource "aws_lambda_invocation" "state" {
  function_name   = var.function_name
  lifecycle_scope = "CRUD"
  input           = jsonencode(local.declaration)

  lifecycle {
    replace_triggered_by = [terraform_data.owner]
  }
}

# Changes nothing. It is no part of the check below, where it would leave no plan empty.
data "aws_lambda_invocation" "now" {
  count = var.check_drift ? 1 : 0

  function_name = var.function_name
  input         = jsonencode(merge(local.declaration, { tf = { action = "read" } }))

  depends_on = [aws_lambda_invocation.state]
}

locals {
  problems = compact([for now in data.aws_lambda_invocation.now : jsondecode(now.result).Problem])
}

check "as_declared" {
  assert {
    condition     = length(local.problems) == 0
    error_message = "${join(", ", local.problems)}. To have it asserted again, change triggers and apply."
  }
}

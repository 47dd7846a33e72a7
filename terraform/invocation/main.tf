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

# Read at every plan that changes nothing here, and after every apply; a warning, never an error.
check "as_declared" {
  data "aws_lambda_invocation" "now" {
    function_name = var.function_name
    input         = jsonencode(merge(local.declaration, { tf = { action = "read" } }))

    depends_on = [aws_lambda_invocation.state]
  }

  assert {
    condition     = jsondecode(data.aws_lambda_invocation.now.result).Problem == ""
    error_message = "${jsondecode(data.aws_lambda_invocation.now.result).Problem}. To have it asserted again, change triggers and apply."
  }
}

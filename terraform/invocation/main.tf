# Whose declaration it is, where no name is given.
resource "terraform_data" "owner" {}

locals {
  declared = {
    Owner          = coalesce(var.name, terraform_data.owner.id)
    ServerId       = var.server_id
    DesiredState   = var.desired_state
    OnDelete       = var.on_delete
    OnDrift        = var.on_drift
    Triggers       = var.triggers
    ServiceTimeout = var.service_timeout
  }
  read   = jsonencode(merge(local.declared, { tf = { action = "read" } }))
  result = jsondecode(aws_lambda_invocation.state.result)

  # Of a failed update Terraform keeps the input, so nothing would be left to apply. Another instance
  # is, for as long as the declaration does not stand.
  standing = join("", [for before in data.aws_lambda_invocation.before : jsondecode(before.result).Instance])
  renewed  = var.check_drift ? formatdate("YYYYMMDDhhmmss", plantimestamp()) : ""
  instance = local.standing == "" ? local.renewed : local.standing

  problems = compact([for after in data.aws_lambda_invocation.after : jsondecode(after.result).Problem])
}

data "aws_lambda_invocation" "before" {
  count = var.check_drift ? 1 : 0

  function_name = var.function_name
  input         = local.read
}

resource "aws_lambda_invocation" "state" {
  function_name   = var.function_name
  lifecycle_scope = "CRUD"
  input           = jsonencode(merge(local.declared, { Instance = local.instance }))
}

# No part of the check, where it would leave no plan empty.
data "aws_lambda_invocation" "after" {
  count = var.check_drift ? 1 : 0

  function_name = var.function_name
  input         = local.read

  depends_on = [aws_lambda_invocation.state]
}

check "as_declared" {
  assert {
    condition     = length(local.problems) == 0
    error_message = "${join(", ", local.problems)}. An apply with other triggers asserts it again."
  }
}

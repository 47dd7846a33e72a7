locals {
  stack_name = coalesce(var.stack_name, "transfer-server-state-${reverse(split("/", var.server_id))[0]}")
  # A deployment that fails at the end of its time is rolled back, which may take as long again.
  timeout = "${2 * var.service_timeout + 300}s"
}

resource "aws_cloudformation_stack" "provider" {
  count = var.provider_template_url == null ? 0 : 1

  name         = var.provider_stack_name
  template_url = var.provider_template_url
  parameters   = merge({ ExportPrefix = var.export_prefix }, var.provider_parameters)
  capabilities = ["CAPABILITY_IAM"]
}

resource "aws_cloudformation_stack" "state" {
  name = local.stack_name
  template_body = jsonencode({
    AWSTemplateFormatVersion = "2010-09-09"
    Description              = "Keeps a Transfer Family server ONLINE or OFFLINE, for Terraform."
    Resources = {
      State = {
        Type = "Custom::TransferServerState"
        Properties = {
          ServiceToken   = { "Fn::ImportValue" = "${var.export_prefix}-ServiceToken" }
          ServiceTimeout = var.service_timeout
          ServerId       = var.server_id
          DesiredState   = var.desired_state
          OnDelete       = var.on_delete
          OnDrift        = var.on_drift
          Triggers       = var.triggers
        }
      }
    }
    Outputs = {
      for name in ["ServerId", "Arn", "State", "PreviousState"] :
      name => { Value = { "Fn::GetAtt" = ["State", name] } }
    }
  })

  timeouts {
    create = local.timeout
    update = local.timeout
    delete = local.timeout
  }

  depends_on = [aws_cloudformation_stack.provider]
}

variable "server_id" {
  type = string
}

variable "desired_state" {
  type    = string
  default = "OFFLINE"
}

module "state" {
  source = "../.."

  server_id     = var.server_id
  desired_state = var.desired_state
  on_drift      = "REASSERT"
}

output "state" {
  value = module.state.state
}

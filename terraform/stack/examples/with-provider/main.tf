variable "server_id" {
  type = string
}

variable "desired_state" {
  type    = string
  default = "OFFLINE"
}

# What make package made and put into a bucket.
variable "template_url" {
  type = string
}

module "state" {
  source = "../.."

  server_id             = var.server_id
  desired_state         = var.desired_state
  export_prefix         = "Files"
  provider_template_url = var.template_url
  provider_stack_name   = "files-provider"
  provider_parameters   = { NamePrefix = "files" }
}

output "state" {
  value = module.state.state
}

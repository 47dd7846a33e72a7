variable "server_id" {
  description = "The server, by its id (s- and 17 hex digits) or its ARN."
  type        = string

  validation {
    condition = anytrue([
      can(regex("^s-[0-9a-f]{17}$", var.server_id)),
      can(regex("^arn:aws[a-z-]*:transfer:[a-z0-9-]+:[0-9]{12}:server/s-[0-9a-f]{17}$", var.server_id)),
    ])
    error_message = "server_id: expected a server id (s- and 17 hex digits) or the server's ARN."
  }
}

variable "desired_state" {
  description = "The state in which the server shall be: ONLINE or OFFLINE. OFFLINE costs as much."
  type        = string

  validation {
    condition     = contains(["ONLINE", "OFFLINE"], var.desired_state)
    error_message = "desired_state: expected ONLINE or OFFLINE."
  }
}

variable "on_delete" {
  description = "What a destruction does: nothing (RETAIN), or bring back the state found at the creation (RESTORE)."
  type        = string
  default     = "RETAIN"

  validation {
    condition     = contains(["RETAIN", "RESTORE"], var.on_delete)
    error_message = "on_delete: expected RETAIN or RESTORE."
  }
}

variable "on_drift" {
  description = "What the provider's guard does when the server is found in another state later: tell (REPORT), or also bring it back (REASSERT)."
  type        = string
  default     = "REPORT"

  validation {
    condition     = contains(["REPORT", "REASSERT"], var.on_drift)
    error_message = "on_drift: expected REPORT or REASSERT."
  }
}

variable "triggers" {
  description = "Any values; a change of them asserts the state again."
  type        = map(string)
  default     = {}
}

variable "service_timeout" {
  description = "How long the server may take, in seconds: 30 to 3600. Terraform waits for twice that and five minutes, for a rollback."
  type        = number
  default     = 3600

  validation {
    condition     = var.service_timeout >= 30 && var.service_timeout <= 3600 && floor(var.service_timeout) == var.service_timeout
    error_message = "service_timeout: expected a whole number of seconds from 30 to 3600."
  }
}

variable "stack_name" {
  description = "The stack that declares it; null for transfer-server-state-s-..., by the server's id."
  type        = string
  default     = null
}

variable "export_prefix" {
  description = "ExportPrefix of the provider's stack, whose function is imported by it."
  type        = string
  default     = "TransferServerState"
}

variable "provider_template_url" {
  description = "To deploy the provider too: the URL of its packaged template in S3 (make package). Null where it is there already, once per account and region."
  type        = string
  default     = null
}

variable "provider_stack_name" {
  description = "The provider's stack, if it is deployed here."
  type        = string
  default     = "transfer-server-state"
}

variable "provider_parameters" {
  description = "Parameters of the provider's template, if it is deployed here."
  type        = map(string)
  default     = {}
}

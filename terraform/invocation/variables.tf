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
  description = "How long the server may take, in seconds: 30 to 900, which is as long as the function may run."
  type        = number
  default     = 900

  validation {
    condition     = var.service_timeout >= 30 && var.service_timeout <= 900 && floor(var.service_timeout) == var.service_timeout
    error_message = "service_timeout: expected a whole number of seconds from 30 to 900."
  }
}

variable "name" {
  description = "Who declares it, as a rival is told: terraform/NAME. A name of its own for each server's declaration; null for one that is made up."
  type        = string
  default     = null

  validation {
    condition     = var.name == null || can(regex("^[A-Za-z0-9._-]{1,64}$", var.name))
    error_message = "name: expected up to 64 letters, digits and . _ -"
  }
}

variable "function_name" {
  description = "The provider's function for Terraform: its name, as the provider's stack puts it out, or its ARN."
  type        = string
  default     = "transfer-server-state-terraform"
}

variable "check_drift" {
  description = "Whether every plan reads how the server is, warns of a drift, and repeats what failed. It takes the permission to invoke the function, which is that to stop the server: false for whoever may plan and not apply."
  type        = bool
  default     = true
}

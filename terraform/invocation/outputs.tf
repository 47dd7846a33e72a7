output "server_id" {
  description = "The server's id, even if its ARN was given."
  value       = local.result.ServerId
}

output "arn" {
  description = "The server's ARN."
  value       = local.result.Arn
}

output "state" {
  description = "Its state when the last apply ended: the desired one."
  value       = local.result.State
}

output "previous_state" {
  description = "The state in which the last apply found it."
  value       = local.result.PreviousState
}

output "owner" {
  description = "Who declares it, as the registry has it."
  value       = "terraform/${local.declared.Owner}"
}

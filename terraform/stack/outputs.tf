output "server_id" {
  description = "The server's id, even if its ARN was given."
  value       = aws_cloudformation_stack.state.outputs["ServerId"]
}

output "arn" {
  description = "The server's ARN."
  value       = aws_cloudformation_stack.state.outputs["Arn"]
}

output "state" {
  description = "Its state when the last apply ended: the desired one."
  value       = aws_cloudformation_stack.state.outputs["State"]
}

output "previous_state" {
  description = "The state in which the last apply found it."
  value       = aws_cloudformation_stack.state.outputs["PreviousState"]
}

output "stack_id" {
  description = "The id of the stack that declares it."
  value       = aws_cloudformation_stack.state.id
}

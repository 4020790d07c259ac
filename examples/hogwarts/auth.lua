-- host --auth examples/hogwarts/auth.lua
-- Whose tokens are good where listeners go beyond one machine: who may start and steer universes,
-- and who may read metrics. compose.yaml and kubernetes.yaml mount the secrets where this says.
return {
  tokens = {
    { token = "file:/run/secrets/ops_token", subject = "ops", roles = { "admin" } },
    { token = "file:/run/secrets/metrics_token", subject = "prometheus", roles = { "metrics" } },
  },
}

# The variables come from the environment.
variable "BASE" { default = "" } # the base's reference in the engine
variable "CA" { default = "" }   # file of certificate authorities, or empty

group "default" { targets = ["cpu", "cuda"] }

target "common" {
  context  = "."
  contexts = { base = "docker-image://${BASE}" }
  secret   = CA == "" ? [] : ["id=ca,src=${CA}"]
}

target "cpu" {
  inherits   = ["common"]
  dockerfile = "Dockerfile.cpu"
  tags       = ["twinforge-bench:cpu"]
}

target "cuda" {
  inherits   = ["common"]
  dockerfile = "Dockerfile.cuda"
  tags       = ["twinforge-bench:cuda"]
}

target "swap" {
  context    = "."
  contexts   = { cuda = "target:cuda" }
  dockerfile = "Dockerfile.swap"
  tags       = ["twinforge-bench:swap"]
}

{{- /* What the schema cannot say: values that do not fit together. All of it is said at once. */ -}}
{{- define "registry.check" -}}
{{- $wrong := list }}
{{- $tls := include "registry.tlsSecret" . }}
{{- with .Values }}
{{- if and (not .embeddedPostgres.enabled) (not .database.existingSecret) }}
{{- $wrong = append $wrong "database.existingSecret: name the Secret with the URL of PostgreSQL; for a trial, set embeddedPostgres.enabled=true instead" }}
{{- end }}
{{- if and .embeddedPostgres.enabled .database.existingSecret }}
{{- $wrong = append $wrong "embeddedPostgres.enabled: database.existingSecret names another database; choose one" }}
{{- end }}
{{- if and .production .embeddedPostgres.enabled }}
{{- $wrong = append $wrong "embeddedPostgres.enabled: it is for trials only; set production=false, or name your database in database.existingSecret" }}
{{- end }}
{{- if and .production (not .encryption.existingSecret) }}
{{- $wrong = append $wrong "encryption.existingSecret: production needs the Secret with the encryption keys" }}
{{- end }}
{{- if and .production (ne .auth.mode "required") }}
{{- $wrong = append $wrong "auth.mode: production needs `required`" }}
{{- end }}
{{- if and .production (ne .tenancy "enforced") }}
{{- $wrong = append $wrong "tenancy: production needs `enforced`" }}
{{- end }}
{{- if and .production (not $tls) (not .mesh) }}
{{- $wrong = append $wrong "tls: production needs tls.existingSecret or tls.certManager.enabled=true; if a service mesh or an ingress encrypts all connections, set mesh=true" }}
{{- end }}
{{- if and .tls.existingSecret .tls.certManager.enabled }}
{{- $wrong = append $wrong "tls.existingSecret: cert-manager makes the certificate; choose one" }}
{{- end }}
{{- if and .tls.certManager.enabled (or (not .tls.certManager.issuerRef.name) (not .tls.certManager.dnsNames)) }}
{{- $wrong = append $wrong "tls.certManager: name the issuer in issuerRef.name, and the gateway's names in dnsNames" }}
{{- end }}
{{- if and .tls.clientCertificates (not $tls) }}
{{- $wrong = append $wrong "tls.clientCertificates: it needs tls.existingSecret or tls.certManager" }}
{{- end }}
{{- if and .cluster.enabled (not .cluster.allNamespaces) (not .cluster.namespaces) }}
{{- $wrong = append $wrong "cluster.namespaces: list the namespaces to which models are deployed; or set cluster.allNamespaces=true, or cluster.enabled=false for a registry that deploys nothing" }}
{{- end }}
{{- if and .cluster.allNamespaces .cluster.namespaces }}
{{- $wrong = append $wrong "cluster.allNamespaces: cluster.namespaces lists some; choose one" }}
{{- end }}
{{- if and .metrics.serviceMonitor.enabled (not .metrics.port) }}
{{- $wrong = append $wrong "metrics.serviceMonitor.enabled: there is nothing to scrape; set metrics.port" }}
{{- end }}
{{- if gt (int .autoscaling.minReplicas) (int .autoscaling.maxReplicas) }}
{{- $wrong = append $wrong "autoscaling.minReplicas: it is above maxReplicas" }}
{{- end }}
{{- $ours := dict "PRODUCTION" "production" "MESH" "mesh" "AUTH" "auth.mode" "TENANCY" "tenancy" "OPERATORS" "auth.operators" "OPERATOR_GROUPS" "auth.operatorGroups" "ISSUERS" "auth.issuers" "CLUSTER" "cluster" "WATCH_NAMESPACES" "cluster.namespaces" "WORKERS" "server.workers" "METRICS_PORT" "metrics.port" "METRICS_HOST" "metrics.port" "DATABASE_URL" "database.existingSecret" "ENCRYPTION_KEYS" "encryption.existingSecret" "WORKERS_WRITE" "cluster" }}
{{- range $name := keys .settings | sortAlpha }}
{{- with get $ours (trimPrefix "REGISTRY_" $name) }}
{{- $wrong = append $wrong (printf "settings.%s: set the value `%s` instead" $name .) }}
{{- end }}
{{- end }}
{{- end }}
{{- if $wrong }}
{{- fail (printf "\n  - %s" (join "\n  - " $wrong)) }}
{{- end }}
{{- end }}

{{- define "registry.name" -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride }}
{{- else if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" (.Release.Name | trunc 26 | trimSuffix "-") .Chart.Name }}
{{- end }}
{{- end }}

{{- /* Labels that never change, because selectors use them. */ -}}
{{- define "registry.selector" -}}
app.kubernetes.io/name: registry-grpc, app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "registry.labels" -}}
{{ include "registry.selector" . }}, app.kubernetes.io/managed-by: {{ .Release.Service }}, helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "registry.podLabels" -}}
{{ include "registry.selector" . }}{{ range $key, $value := .Values.podLabels }}, {{ $key | quote }}: {{ $value | quote }}{{ end }}
{{- end }}

{{- define "registry.image" -}}
{{ .Values.image.repository }}{{ if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "registry.restricted" -}}
{allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
{{- end }}

{{- /* The Secret with the URL of the database. */ -}}
{{- define "registry.databaseSecret" -}}
{{- if .Values.embeddedPostgres.enabled }}{{ include "registry.name" . }}-postgres{{ else }}{{ .Values.database.existingSecret }}{{ end }}
{{- end }}

{{- /* The Secret with the gateway's certificate, or nothing. */ -}}
{{- define "registry.tlsSecret" -}}
{{- if .Values.tls.certManager.enabled }}{{ include "registry.name" . }}-gateway-tls{{ else }}{{ .Values.tls.existingSecret }}{{ end }}
{{- end }}

{{- /* The settings of workers and controllers. */ -}}
{{- define "registry.environment" -}}
envFrom:
- configMapRef: {name: {{ include "registry.name" . }}}
env:
- name: REGISTRY_DATABASE_URL
  valueFrom: {secretKeyRef: {name: {{ include "registry.databaseSecret" . }}, key: {{ .Values.database.urlKey }}}}
{{- with .Values.encryption.existingSecret }}
- name: REGISTRY_ENCRYPTION_KEYS
  valueFrom: {secretKeyRef: {name: {{ . }}, key: {{ $.Values.encryption.keysKey }}}}
{{- end }}
{{- end }}

{{- define "registry.mounts" -}}
- {name: tmp, mountPath: /tmp}
{{- if .Values.database.caConfigMap }}
- {name: database-ca, mountPath: /etc/database-ca, readOnly: true}
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "registry.volumes" -}}
- {name: tmp, emptyDir: {sizeLimit: 64Mi}}
{{- with .Values.database.caConfigMap }}
- {name: database-ca, configMap: {name: {{ . }}}}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* Where pods run. Takes the root and the component. */ -}}
{{- define "registry.scheduling" -}}
{{- $root := index . 0 }}
{{- $component := index . 1 }}
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
{{- range . }}
- {name: {{ . }}}
{{- end }}
{{- end }}
{{- with $root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $root.Values.nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with $root.Values.tolerations }}
tolerations: {{ toJson . }}
{{- end }}
{{- with $root.Values.affinity }}
affinity: {{ toJson . }}
{{- end }}
{{- with and (ne $component "migrate") $root.Values.topologySpread }}
topologySpreadConstraints:
{{- range . }}
- maxSkew: 1
  topologyKey: {{ . }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels: { {{- include "registry.selector" $root }}, app.kubernetes.io/component: {{ $component }}}
{{- end }}
{{- end }}
{{- end }}

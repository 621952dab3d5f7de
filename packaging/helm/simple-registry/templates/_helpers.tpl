{{- define "simple-registry.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "simple-registry.fullname" -}}
{{- $name := include "simple-registry.name" . }}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) }}
{{- /* 52: the longest suffix is -metrics, and the StatefulSet adds a hash of 10 characters to names of revisions */}}
{{- .Values.fullnameOverride | default $full | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- define "simple-registry.selector" -}}
app.kubernetes.io/name: {{ include "simple-registry.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "simple-registry.labels" -}}
{{ include "simple-registry.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "simple-registry.image" -}}
{{- $tag := .Values.image.tag | default .Chart.AppVersion }}
{{- .Values.image.repository }}{{ .Values.image.digest | empty | ternary (printf ":%s" $tag) (printf "@%s" .Values.image.digest) }}
{{- end }}

{{- define "simple-registry.adminSecret" -}}
{{- if .Values.admin.existingSecret }}
{{- .Values.admin.existingSecret }}
{{- else if .Values.admin.passwordHash }}
{{- include "simple-registry.fullname" . }}-admin
{{- end }}
{{- end }}

{{- /* The `spec` of the Configuration document, or the empty text. */}}
{{- define "simple-registry.settings" -}}
{{- $derived := dict }}
{{- if .Values.ingress.enabled }}
{{- $derived = dict "web" (dict "externalURL" (printf "https://%s" .Values.ingress.host)) }}
{{- end }}
{{- with merge (deepCopy .Values.settings) $derived }}
{{- toYaml . }}
{{- end }}
{{- end }}

{{- /* Files by name, each ending with a newline: the registry takes one without for a file that is not yet whole. */}}
{{- define "simple-registry.files" -}}
{{- $files := dict }}
{{- range $file, $text := . }}
{{- $_ := set $files $file (printf "%s\n" (trimSuffix "\n" $text)) }}
{{- end }}
{{- toYaml $files }}
{{- end }}

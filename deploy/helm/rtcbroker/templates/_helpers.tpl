{{- define "rtcbroker.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "rtcbroker.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "rtcbroker.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "rtcbroker.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "rtcbroker.selector" -}}
app.kubernetes.io/name: {{ include "rtcbroker.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "rtcbroker.labels" -}}
{{ include "rtcbroker.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "rtcbroker.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{- define "rtcbroker.authSecret" -}}
{{- default (printf "%s-auth" (include "rtcbroker.fullname" .)) .Values.auth.existingSecret -}}
{{- end -}}

{{- /* Options as environment variables: (dict "prefix" "COORDINATOR" "config" {...}) */ -}}
{{- define "rtcbroker.options" -}}
{{- $prefix := .prefix -}}
{{- range $name, $value := .config }}
- name: RTCBROKER_{{ $prefix }}_{{ upper $name }}
  value: {{ if kindIs "slice" $value }}{{ join "," $value | quote }}{{ else if kindIs "float64" $value }}{{ $value | toJson | quote }}{{ else }}{{ $value | quote }}{{ end }}
{{- end }}
{{- end -}}

{{- define "rtcbroker.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "rtcbroker.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- /* What no schema can say: (dict "part" "commserver" "values" .Values.commserver "volumes" (list ..) "set" (dict OPTION INSTEAD ..)).
       "volumes" are those that the chart makes, "set" the options that it sets, by the value that is meant for each. */ -}}
{{- define "rtcbroker.check" -}}
{{- $part := .part -}}
{{- $volumes := .volumes -}}
{{- range .values.extraVolumes }}{{ $volumes = append $volumes .name }}{{ end -}}
{{- range .values.extraVolumeMounts -}}
{{- if not (has .name $volumes) -}}
{{- fail (printf "%s.extraVolumeMounts: %s mounts the volume %q, which %s.extraVolumes does not have" $part .mountPath .name $part) -}}
{{- end -}}
{{- end -}}
{{- $config := .values.config -}}
{{- range $option, $instead := .set -}}
{{- if hasKey $config $option -}}
{{- fail (printf "%s.config.%s would be set twice: give %s instead" $part $option $instead) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The address of the server, without a login; empty where a Secret has it. */}}
{{- define "wavemill.natsURL" -}}
{{- if eq .Values.nats.mode "external" -}}
{{- .Values.nats.url -}}
{{- else -}}
nats://{{ include "wavemill.fullname" . }}-nats:4222
{{- end -}}
{{- end -}}

{{/* The login of the server: environment variables of a client, from a Secret. */}}
{{- define "wavemill.loginEnv" -}}
{{- $l := .Values.nats.login -}}
{{- if $l.existingSecret -}}
{{- range $name, $key := dict "WAVEMILL_NATS_USER" $l.userKey "WAVEMILL_NATS_PASSWORD" (ternary $l.passwordKey "" (not (empty $l.userKey))) "WAVEMILL_NATS_TOKEN" $l.tokenKey -}}
{{- if $key }}
- name: {{ $name }}
  valueFrom:
    secretKeyRef:
      name: {{ $l.existingSecret }}
      key: {{ $key }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Where the server is, and how to log in: the environment of every client. */}}
{{- define "wavemill.busEnv" -}}
- name: WAVEMILL_NATS
  {{- if and (eq .Values.nats.mode "external") .Values.nats.existingSecret }}
  valueFrom:
    secretKeyRef:
      name: {{ .Values.nats.existingSecret }}
      key: {{ .Values.nats.urlKey }}
  {{- else }}
  value: {{ include "wavemill.natsURL" . | quote }}
  {{- end }}
{{- include "wavemill.loginEnv" . }}
{{- end -}}

{{/* Where traces go. */}}
{{- define "wavemill.tracingEnv" -}}
{{- with .Values.tracing }}
{{- if .endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ .endpoint | quote }}
- name: OTEL_RESOURCE_ATTRIBUTES
  value: {{ printf "k8s.namespace.name=%s,service.namespace=%s" $.Release.Namespace $.Release.Name | quote }}
- name: OTEL_TRACES_SAMPLER
  value: parentbased_traceidratio
- name: OTEL_TRACES_SAMPLER_ARG
  value: {{ .ratio | toString | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Files with the login: mounts and volumes. */}}
{{- define "wavemill.loginMounts" -}}
{{- range $name, $given := include "wavemill.loginVolumes" . | fromYaml }}
- name: nats-{{ $name }}
  mountPath: /etc/nats/{{ $name }}
  readOnly: true
{{- end }}
{{- end -}}
{{- define "wavemill.loginVolumes" -}}
{{- $n := .Values.nats -}}
{{- with $n.credentials.existingSecret }}
creds: {secret: {secretName: {{ . }}, defaultMode: 0440}}
{{- end }}
{{- with $n.nkey.existingSecret }}
nkey: {secret: {secretName: {{ . }}, defaultMode: 0440}}
{{- end }}
{{- with $n.tls.caConfigMap }}
ca: {configMap: {name: {{ . }}}}
{{- end }}
{{- with $n.tls.clientSecret }}
client: {secret: {secretName: {{ . }}, defaultMode: 0440}}
{{- end }}
{{- end -}}
{{- define "wavemill.loginVolumeList" -}}
{{- range $name, $source := include "wavemill.loginVolumes" . | fromYaml }}
- name: nats-{{ $name }}
  {{- toYaml $source | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The ports of the server, as a JSON list. */}}
{{- define "wavemill.natsPorts" -}}
{{- $ports := list -}}
{{- if ne .Values.nats.mode "external" -}}
{{- $ports = list 4222 -}}
{{- else if .Values.networkPolicy.natsPorts -}}
{{- $ports = .Values.networkPolicy.natsPorts -}}
{{- else if get .Values.networkPolicy "natsPort" -}}
{{- $ports = list (int (get .Values.networkPolicy "natsPort")) -}}
{{- else -}}
{{- range splitList "," .Values.nats.url -}}
{{- $port := regexFind ":[0-9]+/?$" (trim .) | trimPrefix ":" | trimSuffix "/" -}}
{{- $ports = append $ports (int (default (ternary "443" (ternary "80" "4222" (hasPrefix "ws://" .)) (hasPrefix "wss://" .)) $port)) -}}
{{- end -}}
{{- end -}}
{{- $ports | uniq | toJson -}}
{{- end -}}

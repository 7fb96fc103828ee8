{{/* The configuration of the bundled server. */}}
{{- define "wavemill.natsConfig" -}}
{{- $n := .Values.nats.bundled -}}
{{- $name := printf "%s-nats" (include "wavemill.fullname" .) -}}
server_name: $POD_NAME
listen: "0.0.0.0:4222"
http: "0.0.0.0:8222"
pid_file: /tmp/nats.pid
max_payload: {{ $n.maxPayload | int64 }}
# JetStream moves its leaders away within the grace period; the clients are then sent away over the duration.
lame_duck_grace_period: 5s
lame_duck_duration: 30s
jetstream {
  store_dir: /data
  sync_interval: {{ $n.syncInterval }}
  max_memory_store: 0
  max_file_store: {{ div (mul (include "wavemill.bytes" $n.storage.size | int64) (int64 $n.storage.usable)) 100 }}
}
{{- if gt (int $n.replicas) 1 }}
cluster {
  name: {{ $name }}
  listen: "0.0.0.0:6222"
  # Clients keep to the names that the services give.
  no_advertise: true
  routes: [
    {{- range $i := until (int $n.replicas) }}
    "nats://{{ $name }}-{{ $i }}.{{ $name }}-headless.{{ $.Release.Namespace }}.svc:6222"
    {{- end }}
  ]
}
{{- end }}
{{- with .Values.nats.login }}
{{- if and .existingSecret .userKey }}
authorization {
  user: $QUOTED_USER
  password: $QUOTED_PASSWORD
}
{{- else if .existingSecret }}
authorization {
  token: $QUOTED_TOKEN
}
{{- end }}
{{- end }}
{{- end -}}

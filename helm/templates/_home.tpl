{{/* The home of whoever works on the lake: its settings from a ConfigMap, its secrets beside it. */}}
{{- define "heliolake.homeMounts" -}}
- {name: home, mountPath: /var/lib/heliolake}
- {name: settings, mountPath: /var/lib/heliolake/lake.yaml, subPath: lake.yaml, readOnly: true}
- {name: settings, mountPath: /var/lib/heliolake/sites.yaml, subPath: sites.yaml, readOnly: true}
{{- if .Values.lake.governance }}
- {name: settings, mountPath: /var/lib/heliolake/governance.yaml, subPath: governance.yaml, readOnly: true}
{{- end }}
- {name: database, mountPath: /run/secrets/database, readOnly: true}
- {name: rucio, mountPath: /run/secrets/rucio, readOnly: true}
{{- if include "heliolake.gatewaySecret" . }}
- {name: gateway, mountPath: /run/secrets/gateway, readOnly: true}
{{- end }}
{{- if .Values.lake.governanceSecret }}
- {name: governance, mountPath: /run/secrets/governance, readOnly: true}
{{- end }}
{{- range .Values.siteSecrets }}
- {name: site-{{ . }}, mountPath: /run/secrets/sites/{{ . }}, readOnly: true}
{{- end }}
{{- end -}}

{{- define "heliolake.homeVolumes" -}}
# In memory: Rucio's token is kept there.
- name: home
  emptyDir: {medium: Memory, sizeLimit: 64Mi}
{{ include "heliolake.databaseVolume" . }}
{{- with .Values.rucio.secret }}
- name: rucio
  secret:
    secretName: {{ required "rucio.secret.name: name the Secret that holds the password of Rucio's account" .name }}
    defaultMode: 0440
    items: [{key: {{ .key | quote }}, path: password}]
{{- end }}
{{- with include "heliolake.gatewaySecret" . }}
- name: gateway
  secret:
    secretName: {{ . }}
    defaultMode: 0440
    items: [{key: {{ $.Values.dask.gateway.secret.key | quote }}, path: password}]
{{- end }}
{{- with .Values.lake.governanceSecret }}
- name: governance
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- range .Values.siteSecrets }}
- name: site-{{ . }}
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- end -}}

{{/* The Secret of the gateway's password; empty where none is needed. */}}
{{- define "heliolake.gatewaySecret" -}}
{{- if and (eq .Values.dask.kind "gateway") (ne .Values.dask.gateway.auth "kerberos") -}}
{{ required "dask.gateway.secret.name: name the Secret that holds the password (or JupyterHub's token) for the gateway" .Values.dask.gateway.secret.name }}
{{- end -}}
{{- end -}}

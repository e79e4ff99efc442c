{{/* What notebooks of users need, as values of the chart `jupyterhub`. */}}
{{- define "heliolake.hubValues" -}}
{{- with .top -}}
{{- $operator := eq $.access "operator" -}}
singleuser:
  {{- if $.image }}
  image:
    name: {{ .Values.notebooks.image | default .Values.image.repository }}
    tag: {{ .Values.notebooks.tag | default .Values.image.tag | default .Chart.AppVersion | quote }}
    pullPolicy: {{ .Values.image.pullPolicy }}
  {{- end }}
  uid: {{ .Values.pod.user }}
  fsGid: {{ .Values.pod.user }}
  allowPrivilegeEscalation: false
  memory: {limit: {{ .Values.notebooks.memoryMiB }}M, guarantee: {{ .Values.notebooks.memoryMiB }}M}
  cpu: {limit: {{ .Values.notebooks.cpus }}, guarantee: {{ .Values.notebooks.cpus }}}
  extraEnv:
    {{- range list "OMP" "MKL" "OPENBLAS" "NUMEXPR" "NUMBA" "VECLIB_MAXIMUM" "BLIS" }}
    {{ . }}_NUM_THREADS: "1"
    {{- end }}
    # Lazy stacks whose names differ late would share tasks.
    DASK_OPTIMIZATION__FUSE__ACTIVE: "false"
    {{- if $operator }}
    HELIOLAKE_HOME: /var/lib/heliolake
    {{- if .Values.storage.secret.name }}
    HELIOLAKE_STORES: /run/secrets/stores/stores.json
    {{- end }}
    {{- end }}
  {{- if $operator }}
  # The settings have to lie in the hub's namespace too; so do the Secrets named here.
  extraPodConfig:
    enableServiceLinks: false
  storage:
    extraVolumeMounts:
      {{- include "heliolake.homeMounts" . | nindent 6 }}
      {{- if .Values.storage.secret.name }}
      - {name: stores, mountPath: /run/secrets/stores, readOnly: true}
      {{- end }}
      {{- if .Values.storage.claim }}
      - {name: data, mountPath: {{ .Values.storage.folder }}}
      {{- end }}
      {{- if include "heliolake.daskSecret" . }}
      - {name: dask, mountPath: /run/secrets/dask, readOnly: true}
      {{- end }}
    extraVolumes:
      - name: settings
        configMap: {name: {{ include "heliolake.name" . }}}
      {{- include "heliolake.homeVolumes" . | nindent 6 }}
      {{- with .Values.storage.secret }}
      {{- if .name }}
      - name: stores
        secret: {secretName: {{ .name }}, defaultMode: 0440, items: [{key: {{ .key | quote }}, path: stores.json}]}
      {{- end }}
      {{- end }}
      {{- with .Values.storage.claim }}
      - name: data
        persistentVolumeClaim: {claimName: {{ . }}}
      {{- end }}
      {{- with include "heliolake.daskSecret" . }}
      - name: dask
        secret: {secretName: {{ . }}, defaultMode: 0440}
      {{- end }}
  {{- end }}
{{- end -}}
{{- end -}}

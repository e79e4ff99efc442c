"""ChroTel, the full-disk chromospheric telescope of the KIS on Tenerife: Hα, Ca II K, He I 1083 nm."""
